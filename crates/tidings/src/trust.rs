//! `tidings trust`: how other programs come to trust the development certificate.
//!
//! Nothing is changed here; the lines are printed for the reader to run. Where a variable replaces
//! a program's certificates instead of adding to them, the line keeps the public ones.

use std::path::{Path, PathBuf};

/// Where the certificate of the development CA lies in a data folder.
pub fn ca_file(data: &Path) -> PathBuf {
    data.join("tls").join("ca.pem")
}

/// The command that shows the lines for a data folder.
pub fn command(data: &Path) -> String {
    format!("tidings trust --data {}", quoted(data))
}

/// The path of the CA and one line for each program, ready for a POSIX shell. `ca` is absolute.
pub fn lines(ca: &Path) -> String {
    let file = quoted(ca);
    let bundle = quoted(&ca.with_file_name("ca-and-public.pem"));
    let certutil =
        |database: &str| format!("certutil -d {database} -A -t C,, -n tidings -i {file}");
    let entries = [
        ("Node.js", format!("export NODE_EXTRA_CA_CERTS={file}")),
        (
            "Python (requests, aiohttp, ssl; needs certifi, which requests brings)",
            format!(
                "cat \"$(python3 -m certifi)\" {file} > {bundle} && \
                 export REQUESTS_CA_BUNDLE={bundle} SSL_CERT_FILE={bundle}"
            ),
        ),
        (
            "Java (writes the JVM's own store: with sudo where that belongs to root)",
            format!(
                "keytool -importcert -noprompt -trustcacerts -cacerts -storepass changeit \
                 -alias tidings -file {file}"
            ),
        ),
        (
            "Go on Linux (the system's certificate folders stay trusted)",
            format!("export SSL_CERT_FILE={file}"),
        ),
        ("curl", format!("curl --cacert {file} https://localhost:8443/api/health")),
        (
            "Chromium on Linux (certutil: Debian package libnss3-tools; restart the browser)",
            format!("mkdir -p \"$HOME/.pki/nssdb\" && {}", certutil("\"sql:$HOME/.pki/nssdb\"")),
        ),
        (
            "Firefox on Linux, every profile (certutil as above; restart the browser)",
            format!(
                "for db in \"$HOME\"/.mozilla/firefox/*/cert9.db \
                 \"$HOME\"/snap/firefox/common/.mozilla/firefox/*/cert9.db; \
                 do [ ! -e \"$db\" ] || {}; done",
                certutil("\"sql:${db%/*}\"")
            ),
        ),
    ];
    let mut text = format!("{}\n", ca.display());
    for (program, line) in entries {
        text.push_str(&format!("\n# {program}\n{line}\n"));
    }
    text
}

/// `path` as one word of a POSIX shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_path_alone() {
        let text = lines(Path::new("/a b/tls/ca.pem"));
        assert_eq!(text.lines().next(), Some("/a b/tls/ca.pem"));
    }

    #[test]
    fn every_program_of_the_tour_has_one_line_with_the_file() {
        let text = lines(Path::new("/data/tls/ca.pem"));
        for program in ["Node", "Python", "Java", "Go", "curl", "Chromium", "Firefox"] {
            let at = text.find(&format!("\n# {program}")).unwrap();
            let line = text[at + 1..].lines().nth(1).unwrap();
            assert!(line.contains("/data/tls/ca.pem"), "{program}: {line}");
        }
    }

    #[test]
    fn paths_are_quoted_for_the_shell_only_where_needed() {
        assert_eq!(quoted(Path::new("/plain/ca.pem")), "/plain/ca.pem");
        assert_eq!(quoted(Path::new("/it's $HOME/ca.pem")), r"'/it'\''s $HOME/ca.pem'");
    }

    #[test]
    fn a_shell_reads_a_quoted_path_back_unchanged() {
        let path = "/it's a \"$HOME\" `x` \\ path\n/ca.pem";
        let script = format!("printf %s {}", quoted(Path::new(path)));
        let output = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), path);
    }
}
