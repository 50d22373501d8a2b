//! The development CA in folders of its own, its certificates judged by a client's verifier.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{ServerName, UnixTime};

use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);

fn after_days(days: u32) -> Timestamp {
    NOW + DAY * days
}

fn contents(dir: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read_to_string(entry.path()).unwrap())
        })
        .collect()
}

/// Whether a client that trusts `ca` would accept `leaf` for `host` at `now`.
fn accepted(
    ca: &CertificateDer<'_>,
    leaf: &CertificateDer<'_>,
    host: &str,
    now: Timestamp,
) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(ca.clone().into_owned()).unwrap();
    let verifier =
        WebPkiServerVerifier::builder_with_provider(roots.into(), provider()).build().unwrap();
    let now = UnixTime::since_unix_epoch(now.since(Timestamp::default()));
    let host = ServerName::try_from(host).unwrap();
    verifier.verify_server_cert(leaf, &[], &host, &[], now).is_ok()
}

fn error_after(dir: &Path, change: impl Fn(&Path)) -> String {
    DevCa::load_or_create(dir, NOW).unwrap();
    change(dir);
    DevCa::load_or_create(dir, NOW).unwrap_err().to_string()
}

#[test]
fn a_new_folder_gets_a_ca_and_a_leaf_that_clients_accept_for_this_machine() {
    let dir = tempfile::tempdir().unwrap();
    let made = DevCa::load_or_create(dir.path(), NOW).unwrap();
    let ca = read_chain(&made.ca_path()).unwrap().remove(0);
    let leaf = read_chain(&made.certificate_files().certificate).unwrap().remove(0);
    for host in ["localhost", "app.tidings.localhost", "127.0.0.1", "::1"] {
        assert!(accepted(&ca, &leaf, host, NOW), "{host}");
        assert!(!accepted(&ca, &leaf, host, after_days(398)), "{host} is accepted for ever");
    }
    assert!(!accepted(&ca, &leaf, "example.com", NOW));
}

#[test]
fn the_ca_cannot_vouch_for_other_sites() {
    let dir = tempfile::tempdir().unwrap();
    let made = DevCa::load_or_create(dir.path(), NOW).unwrap();
    let authority = made.open_authority(NOW).unwrap();
    let issuer = Issuer::from_ca_cert_der(&authority.certificate, &authority.key).unwrap();
    let forge = |name: &str| {
        let params = params(vec![name.to_owned()], "forged", NOW, LEAF_LIFE).unwrap();
        params.signed_by(&new_key().unwrap(), &issuer).unwrap()
    };
    for host in ["example.com", "notlocalhost", "192.0.2.1"] {
        assert!(!accepted(&authority.certificate, forge(host).der(), host, NOW), "{host}");
    }
    assert!(accepted(&authority.certificate, forge("localhost").der(), "localhost", NOW));
}

#[test]
fn keys_are_readable_by_their_owner_alone() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("tls");
    DevCa::load_or_create(&dir, NOW).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    assert_eq!((mode(&dir.join(CA_KEY)), mode(&dir.join(LEAF_KEY))), (0o600, 0o600));
    let names: Vec<_> = contents(&dir).into_keys().collect();
    assert_eq!(names, [CA_KEY, CA, LEAF_KEY, LEAF], "and no draft is left behind");
}

#[test]
fn opening_again_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    DevCa::load_or_create(dir.path(), NOW).unwrap();
    let before = contents(dir.path());
    DevCa::load_or_create(dir.path(), after_days(366)).unwrap();
    assert_eq!(contents(dir.path()), before);
}

#[test]
fn a_leaf_about_to_expire_is_issued_anew_under_the_same_ca() {
    let dir = tempfile::tempdir().unwrap();
    DevCa::load_or_create(dir.path(), NOW).unwrap();
    let before = contents(dir.path());
    let made = DevCa::load_or_create(dir.path(), after_days(368)).unwrap();
    let after = contents(dir.path());
    assert_eq!((&after[CA], &after[CA_KEY]), (&before[CA], &before[CA_KEY]));
    assert_ne!(after[LEAF], before[LEAF]);
    let ca = read_chain(&made.ca_path()).unwrap().remove(0);
    let leaf = read_chain(&made.certificate_files().certificate).unwrap().remove(0);
    assert!(accepted(&ca, &leaf, "localhost", after_days(700)));
}

#[test]
fn a_renewal_that_was_cut_short_is_made_up_for() {
    let dir = tempfile::tempdir().unwrap();
    let made = DevCa::load_or_create(dir.path(), NOW).unwrap();
    let files = made.certificate_files();
    fs::write(&files.key, new_key().unwrap().serialize_pem()).unwrap();
    DevCa::load_or_create(dir.path(), NOW).unwrap();
    super::super::Certificate::load(&files.certificate, &files.key).unwrap();
}

#[test]
fn a_creation_that_was_cut_short_is_made_up_for() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(CA_KEY), new_key().unwrap().serialize_pem()).unwrap();
    DevCa::load_or_create(dir.path(), NOW).unwrap();
}

#[test]
fn a_damaged_ca_is_named_and_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let error = error_after(dir.path(), |dir| fs::write(dir.join(CA), "oops").unwrap());
    assert!(error.contains("ca.pem: no certificate in it; put the right file back"), "{error}");
    assert_eq!(fs::read_to_string(dir.path().join(CA)).unwrap(), "oops");
}

#[test]
fn a_ca_with_a_missing_or_foreign_key_is_explained() {
    let dir = tempfile::tempdir().unwrap();
    let foreign = new_key().unwrap().serialize_pem();
    let error = error_after(dir.path(), |dir| fs::write(dir.join(CA_KEY), &foreign).unwrap());
    assert!(error.contains("ca-key.pem: not the key of ca.pem"), "{error}");
    fs::remove_file(dir.path().join(CA_KEY)).unwrap();
    let error = DevCa::load_or_create(dir.path(), NOW).unwrap_err().to_string();
    assert!(error.contains("ca-key.pem: No such file") && error.contains(CURE_CA), "{error}");
}

#[test]
fn a_leaf_of_another_ca_is_left_alone_and_explained() {
    let dir = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    DevCa::load_or_create(other.path(), NOW).unwrap();
    let error = error_after(dir.path(), |dir| {
        fs::copy(other.path().join(LEAF), dir.join(LEAF)).unwrap();
    });
    assert!(error.contains("server.pem: not issued by the ca.pem beside it"), "{error}");
    assert_eq!(contents(dir.path())[LEAF], contents(other.path())[LEAF]);
}

#[test]
fn a_ca_at_the_end_of_its_life_is_said_so() {
    let dir = tempfile::tempdir().unwrap();
    DevCa::load_or_create(dir.path(), NOW).unwrap();
    DevCa::load_or_create(dir.path(), after_days(3_600)).unwrap();
    let error = DevCa::load_or_create(dir.path(), after_days(3_640)).unwrap_err().to_string();
    assert!(error.contains("ca.pem: the CA has reached the end of its life"), "{error}");
}

#[test]
fn an_unwritable_place_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = DevCa::load_or_create(&file.join("tls"), NOW).unwrap_err();
    assert_eq!(error.path(), file.join("tls"));
    assert!(error.to_string().contains("choose another data folder"), "{error}");
}
