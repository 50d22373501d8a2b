//! Arbitrary text as the body of a template, and the rest as a property: no panic, and what is
//! rendered from JSON is JSON, whatever the property.
#![no_main]

use libfuzzer_sys::fuzz_target;
use notificationhubs::Platform;
use notificationhubs::template::{MAX_RENDERED_BYTES, Properties, Template, TemplateText};

fuzz_target!(|input: (&str, &str)| {
    let (body, value) = input;
    let message = serde_json::json!({ "a": value }).to_string();
    let message = Properties::parse(&message).expect("a flat object");
    for platform in [Platform::FcmV1, Platform::Windows] {
        let headers = vec![("X-WNS-Type".to_owned(), "wns/toast".to_owned())];
        let text = TemplateText { body: body.to_owned(), headers, ..TemplateText::default() };
        let Ok(template) = Template::compile(platform, &text) else { continue };
        let Ok(rendered) = template.render(&Properties::new(&message, None)) else { continue };
        assert!(rendered.body.len() <= MAX_RENDERED_BYTES);
        if platform == Platform::FcmV1 {
            let json: Result<serde_json::Value, _> = serde_json::from_str(&rendered.body);
            assert!(json.is_ok(), "{}", rendered.body);
        }
    }
});
