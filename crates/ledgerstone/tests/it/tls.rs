//! The program over TLS: both sides, and the commands of docs/tls.md.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use crate::rig::{Rig, Server, example};

const SETTINGS: &str = "[tls]\ncertificate = \"../tls/server.pem\"\nkey = \"../tls/server.key\"\nclient_ca = \"../tls/ca.pem\"\n";

/// A rig with an authority, whose certificates are in `tls`.
struct Secured {
    rig: Rig,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Secured {
    fn new() -> Secured {
        let rig = Rig::new();
        fs::create_dir(rig.path("tls")).unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let secured = Secured { rig, authority };
        secured.rig.write("tls/ca.pem", secured.authority.pem());
        secured.rig.write("tls.toml", SETTINGS);
        secured.issue("server", &["localhost"]);
        secured.issue("client", &[]);
        secured
    }

    /// Writes a certificate for these names, and its key.
    fn issue(&self, file: &str, names: &[&str]) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.authority).unwrap();
        self.rig.write(&format!("tls/{file}.pem"), certificate.pem());
        let key = self.rig.write(&format!("tls/{file}.key"), key.serialize_pem());
        fs::set_permissions(key, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn up(&self) -> Server {
        self.rig.up(&["--settings", "tls.toml"])
    }
}

#[test]
fn everything_goes_over_tls_where_the_store_is() {
    let secured = Secured::new();
    let (rig, server) = (&secured.rig, secured.up());
    assert!(server.url.starts_with("https://localhost:"), "{}", server.banner);
    assert!(server.banner.contains("TLS 1.3") && server.banner.contains("--cacert"), "{}", server.banner);
    // The certificate that the settings name is trusted, whatever the name.
    let by_address = server.url.replace("localhost", "127.0.0.1");
    for url in [&server.url, &by_address] {
        rig.run(&["append", "--server", url, "--wait", "committed", &example("cloudtrail.json")]).ok();
        rig.run(&["status", "--server", url]).ok();
        rig.run(&["verify", url]).ok().says("payload");
    }
    rig.run(&["doctor", "--server", &server.url]).says("certificate: for localhost, good until 4096-01-01");
    // And the store itself holds nothing of it.
    rig.run(&["verify", "ledgerstone-data"]).ok();
    let clear = server.url.replace("https", "http");
    rig.run(&["status", "--server", &clear]).code_is(2).says("this port wants TLS").says("revoke");
}

#[test]
fn elsewhere_an_authority_must_be_named_and_the_name_must_fit() {
    let secured = Secured::new();
    let (rig, server) = (&secured.rig, secured.up());
    let by_address = server.url.replace("localhost", "127.0.0.1");
    // A client that has the token and not the store.
    let run = |url: &str, more: &[&str]| {
        let token = "ledgerstone-data/admin.token";
        rig.run(&[&["status", "--data", "elsewhere", "--token-file", token, "--server", url], more].concat())
    };
    run(&server.url, &[]).code_is(2).says("nobody who is trusted").says("--ca FILE");
    run(&server.url, &["--ca", "tls/ca.pem"]).ok();
    run(&server.url, &["--ca", "tls/server.pem"]).ok();
    run(&by_address, &["--ca", "tls/ca.pem"]).code_is(2).says("another name").says("localhost");
    run(&server.url, &["--ca", "tls.toml"]).code_is(2).says("no certificate (PEM) in tls.toml");
    rig.run(&["verify", &server.url, "--data", "elsewhere", "--ca", "tls/ca.pem"]).says("wants a token");
    rig.run(&["verify", &server.url, "--data", "elsewhere"]).code_is(2).says("nobody who is trusted");
}

#[test]
fn a_certificate_of_the_client_is_shown() {
    let secured = Secured::new();
    let (rig, server) = (&secured.rig, secured.up());
    let run = |cert: &str, key: &str| {
        rig.run(&["status", "--server", &server.url, "--client-cert", cert, "--client-key", key])
    };
    // It is trusted, and no token names it; the administrator's, which lies here, is not sent with it.
    run("tls/client.pem", "tls/client.key")
        .code_is(2)
        .says("no token of this server names this client certificate");
    let both = ["--client-cert", "tls/client.pem", "--client-key", "tls/client.key", "--server", &server.url];
    rig.run(&[&["status", "--token-file", "ledgerstone-data/admin.token"][..], &both].concat()).ok();
    run("tls/client.pem", "tls/server.key").code_is(2).says("don't go together");
    let stranger = Secured::new();
    let file = |name: &str| stranger.rig.path(name).display().to_string();
    let refused = run(&file("tls/client.pem"), &file("tls/client.key")).code_is(2);
    refused.says("the server refuses the certificate").says("--client-cert");
    rig.run(&["status", "--client-cert", "tls/client.pem"]).code_is(2).says("--client-key");
}

#[test]
fn a_new_certificate_is_taken_up_while_it_runs() {
    let secured = Secured::new();
    let (rig, server) = (&secured.rig, secured.up());
    let run = |name: &str| {
        let url = server.url.replace("localhost", name);
        let token = "ledgerstone-data/admin.token";
        rig.run(&[
            "status",
            "--data",
            "elsewhere",
            "--token-file",
            token,
            "--ca",
            "tls/ca.pem",
            "--server",
            &url,
        ])
    };
    run("localhost").ok();
    run("127.0.0.1").code_is(2);
    secured.issue("server", &["127.0.0.1"]);
    let taken = (0..1200).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        run("127.0.0.1").code == Some(0)
    });
    assert!(taken);
    rig.write("tls/server.pem", "nonsense");
    let url = server.url.replace("localhost", "127.0.0.1");
    let token = "ledgerstone-data/admin.token";
    let refused = (0..1200).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        let args = [
            "access",
            "api.operation:tls.certificate status:Failure",
            "--token-file",
            token,
            "--ca",
            "tls/ca.pem",
            "--server",
            &url,
        ];
        rig.run(&args).code == Some(0)
    });
    assert!(refused);
    run("127.0.0.1").ok();
    let (code, log) = server.terminate();
    assert_eq!(code, Some(0));
    assert!(log.contains("info: the TLS files have changed and are in use"), "{log}");
    assert!(log.contains("error: the TLS files have changed and are not used"), "{log}");
    // Not only in the log, which is nobody's to check.
    secured.issue("server", &["localhost"]);
    let server = secured.up();
    // By the operation: the words alone stand in the accesses that look for them, too.
    let access = |what: &str| {
        let what = format!("api.operation:{what}");
        let found = rig.run(&["access", &what, "--json", "--server", &server.url]).ok().json();
        found["accesses"].as_array().unwrap().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let changes = access("tls.certificate");
    assert_eq!(changes.len(), 2, "{changes:?}");
    let taken = changes.iter().find(|change| change.contains("Success")).unwrap();
    assert!(taken.contains("certificate_sha256") && taken.contains("4096-01-01T00:00:00.000Z"), "{taken}");
    let refused = changes.iter().find(|change| change.contains("Failure")).unwrap();
    assert!(refused.contains("no usable certificate"), "{refused}");
    assert!(access("server.start").iter().all(|start| start.contains("certificate_sha256")));
    // Whoever was not satisfied with the name broke off the handshake.
    assert!(!access("failed-handshake").is_empty());
    let token = "ledgerstone-data/admin.token";
    let metrics = Command::new("curl")
        .args(["-sS", "--noproxy", "*", "--cacert", "tls/ca.pem", "-H"])
        .arg(format!("Authorization: Bearer {}", String::from_utf8_lossy(&rig.read(token)).trim()))
        .arg(format!("{}/metrics", server.url))
        .current_dir(rig.path(""))
        .output();
    let Ok(metrics) = metrics else { return println!("SKIPPED: this machine has no curl") };
    let page = String::from_utf8(metrics.stdout).unwrap();
    let end =
        page.lines().find_map(|line| line.strip_prefix("ledgerstone_tls_certificate_not_after_seconds "));
    assert_eq!(end, Some("67090118400"), "{page}");
}

#[test]
fn a_server_without_a_usable_pair_does_not_start() {
    let secured = Secured::new();
    let rig = &secured.rig;
    let up = |settings: &str| {
        rig.write("other.toml", settings);
        rig.run(&["up", "--listen", "127.0.0.1:0", "--settings", "other.toml"]).code_is(2)
    };
    up(&SETTINGS.replace("server.key", "client.key")).says("is not that of the certificate");
    up(&SETTINGS.replace("server.pem", "none.pem")).says("none.pem");
    up("[tls]\ncertificate = \"../tls/server.pem\"\n").says("tls.key");
    up(&SETTINGS.replace("../tls", "tls")).says("must not lie inside the data directory");
    fs::set_permissions(rig.path("tls/server.key"), fs::Permissions::from_mode(0o644)).unwrap();
    up(SETTINGS).says("others may read the TLS key").says("chmod 600");
    assert!(!rig.path("ledgerstone-data/register").exists(), "nothing was started");
}

#[test]
fn what_speaks_no_tls_is_told_so() {
    let secured = Secured::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let answering = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 64]);
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").unwrap();
    });
    let token = secured.rig.write("token", "x").display().to_string();
    let args = ["status", "--server", &url, "--ca", "tls/ca.pem", "--token-file", &token];
    secured.rig.run(&args).code_is(2).says("speaks no TLS");
    answering.join().unwrap();
}

/// The fenced blocks of docs/tls.md that begin with a language.
fn blocks(language: &str) -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/tls.md");
    let page = fs::read_to_string(page).unwrap();
    let blocks = page.split("```").skip(1).step_by(2);
    blocks.filter_map(|block| block.strip_prefix(&format!("{language}\n"))).map(str::to_owned).collect()
}

#[test]
fn the_commands_of_the_page_work() {
    if Command::new("openssl").arg("version").stdout(Stdio::null()).status().is_err() {
        println!("SKIPPED: this machine has no openssl");
        return;
    }
    let rig = Rig::new();
    let shell = |script: &str| {
        let mut path = std::env::split_paths(&std::env::var_os("PATH").unwrap()).collect::<Vec<_>>();
        path.insert(0, Path::new(env!("CARGO_BIN_EXE_ledgerstone")).parent().unwrap().to_owned());
        let mut command = Command::new("sh");
        command.args(["-ec", script]).current_dir(rig.path("."));
        let output = command.env("PATH", std::env::join_paths(path).unwrap()).output().unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let (settings, commands) = (blocks("toml"), blocks("sh"));
    let [status, authority, client] = &commands[..] else { panic!("three blocks of commands: {commands:?}") };
    shell(authority);
    rig.write(
        "page.toml",
        settings[0].clone() + &settings[1].replace("[tls]\n", "").replace("clients-ca", "ca"),
    );
    let server = rig.up(&["--settings", "page.toml"]);
    assert!(server.url.starts_with("https://127.0.0.1:"), "{}", server.banner);
    // The page's name does not lead here.
    let here = |script: &str| script.replace("https://audit.example.org:4780", &server.url);
    rig.write("token", rig.read("ledgerstone-data/admin.token"));
    shell(&here(status));
    if Command::new("curl").arg("--version").stdout(Stdio::null()).status().is_err() {
        println!("SKIPPED: this machine has no curl");
        return;
    }
    // The banner's own commands, too.
    let curl = server.banner.lines().find(|line| line.contains("curl")).unwrap();
    let answer = shell(&curl.replace("curl", "curl -sS --noproxy '*' --fail"));
    assert!(answer.contains("\"count\":1"), "{answer}");
    let append = server.banner.lines().find(|line| line.contains("ledgerstone append")).unwrap();
    shell(append);
    rig.run(&["append", "--server", &server.url, "--wait", "committed", &example("native.ndjson")]).ok();
    rig.write("tls/admin.token", rig.read("token"));
    assert!(shell(&format!("cd tls\n{}", here(client))).contains("alice"));
}
