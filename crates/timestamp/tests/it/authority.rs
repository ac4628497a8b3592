//! A local authority: OpenSSL's command line in a folder of its own.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;
use timestamp::{Authorities, Token};

/// A note of a checkpoint, and what of it is stamped.
pub const NOTE: &str = "example.com/log\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
    — example.com/log Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";

pub fn body() -> String {
    timestamp::body(NOTE.as_bytes()).unwrap()
}

pub fn digest() -> [u8; 32] {
    timestamp::digest(body().as_bytes())
}

/// The extensions a signer of tokens has.
pub const SIGNER: &str = "extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\n\
    basicConstraints=critical,CA:FALSE\nsubjectKeyIdentifier=hash\n";
pub const AUTHORITY: &str =
    "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n";

pub const EC: &[&str] = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
pub const EC384: &[&str] = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"];
pub const RSA: &[&str] = &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
pub const ED25519: &[&str] = &["-algorithm", "ED25519"];

/// How `openssl ts` makes a token.
pub struct Settings<'a> {
    pub signer: &'a str,
    pub digest: &'a str,
    pub certificate_digest: &'a str,
    /// More lines of its configuration.
    pub more: &'a str,
    /// Certificates that go into the token beside the signer's.
    pub chain: Option<&'a str>,
}

impl<'a> Settings<'a> {
    pub fn new(signer: &'a str) -> Self {
        Self { signer, digest: "sha256", certificate_digest: "sha256", more: "", chain: None }
    }
}

pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("data", body().as_bytes());
        folder
    }

    /// An authority `ca` and a signer `tsa` of these kinds of keys.
    pub fn with_signer(ca: &[&str], tsa: &[&str]) -> Self {
        let folder = Self::new();
        folder.root("ca", ca);
        folder.issue("tsa", tsa, "ca", SIGNER);
        folder
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// Runs OpenSSL; what it prints, or how it complains.
    pub fn try_openssl(&self, words: &[&str]) -> Result<Vec<u8>, String> {
        let mut command = Command::new("openssl");
        let done = command.args(words).current_dir(self.0.path()).output();
        let done = done.unwrap_or_else(|error| panic!("these tests need the program openssl: {error}"));
        match done.status.success() {
            true => Ok(done.stdout),
            false => Err(String::from_utf8_lossy(&done.stderr).into_owned()),
        }
    }

    pub fn openssl(&self, words: &[&str]) -> Vec<u8> {
        self.try_openssl(words).unwrap_or_else(|why| panic!("openssl {words:?}: {why}"))
    }

    fn key(&self, name: &str, kind: &[&str]) {
        let key = format!("{name}.key");
        self.openssl(&[&["genpkey", "-out", &key], kind].concat());
    }

    /// A certificate that is its own issuer.
    pub fn root(&self, name: &str, kind: &[&str]) {
        self.key(name, kind);
        self.write("ext", AUTHORITY.as_bytes());
        let (key, request, pem) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
        self.openssl(&[
            "req",
            "-new",
            "-key",
            &key,
            "-subj",
            &format!("/O=Test/CN={name}"),
            "-out",
            &request,
        ]);
        self.openssl(&[
            "x509", "-req", "-in", &request, "-signkey", &key, "-days", "3650", "-extfile", "ext", "-out",
            &pem,
        ]);
    }

    /// A certificate issued by another.
    pub fn issue(&self, name: &str, kind: &[&str], by: &str, extensions: &str) {
        self.key(name, kind);
        self.write("ext", extensions.as_bytes());
        let (key, request, pem) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
        self.openssl(&[
            "req",
            "-new",
            "-key",
            &key,
            "-subj",
            &format!("/O=Test/CN={name}"),
            "-out",
            &request,
        ]);
        let (by_pem, by_key) = (format!("{by}.pem"), format!("{by}.key"));
        let signing = ["x509", "-req", "-in", &request, "-CA", &by_pem, "-CAkey", &by_key, "-CAcreateserial"];
        self.openssl(&[&signing[..], &["-days", "365", "-extfile", "ext", "-out", &pem]].concat());
    }

    pub fn authorities(&self, pem: &str) -> Authorities {
        Authorities::parse(&self.read(pem)).unwrap()
    }

    /// What `openssl ts` answers to a request.
    pub fn reply(&self, request: &[u8], settings: &Settings<'_>) -> Vec<u8> {
        let Settings { signer, digest, certificate_digest, more, chain } = settings;
        self.write("request", request);
        let chain = chain.map_or_else(String::new, |chain| format!("certs = {chain}\n"));
        let text = format!(
            "[tsa]\ndefault_tsa = main\n[main]\nserial = serial\nsigner_cert = {signer}.pem\nsigner_key = {signer}.key\n\
             {chain}signer_digest = {digest}\ndefault_policy = 1.3.6.1.4.1.55555.1\ndigests = sha256, sha1\n\
             ess_cert_id_alg = {certificate_digest}\n{more}\n"
        );
        self.write("ts.cnf", text.as_bytes());
        self.openssl(&["ts", "-reply", "-config", "ts.cnf", "-queryfile", "request", "-out", "response"]);
        self.read("response")
    }

    /// A token over [`body`] as the authority gives it.
    pub fn token(&self, nonce: u64, settings: &Settings<'_>) -> Token {
        let reply = self.reply(&timestamp::request(&digest(), nonce), settings);
        timestamp::response(&reply).unwrap()
    }

    /// A token over any TSTInfo, signed as CMS: what `openssl ts` would refuse to make.
    pub fn sign(&self, info: &[u8], signer: &str, more: &[&str]) -> Vec<u8> {
        self.write("info", info);
        let (pem, key) = (format!("{signer}.pem"), format!("{signer}.key"));
        let words = [
            "cms",
            "-sign",
            "-binary",
            "-nodetach",
            "-nosmimecap",
            "-econtent_type",
            "1.2.840.113549.1.9.16.1.4",
        ];
        let files = ["-in", "info", "-signer", &pem, "-inkey", &key, "-outform", "DER", "-out", "signed"];
        self.openssl(&[&words[..], &files, more].concat());
        self.read("signed")
    }

    /// Whether `openssl ts -verify` accepts a token over [`body`].
    pub fn openssl_accepts(&self, token: &[u8], ca: &str) -> Result<(), String> {
        self.write("token", token);
        let words = ["ts", "-verify", "-data", "data", "-in", "token", "-token_in", "-CAfile", ca];
        self.try_openssl(&words).map(drop)
    }
}

/// Writes DER by hand, so that a token can say what no authority says.
pub mod der {
    pub fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let value = parts.concat();
        let mut out = vec![tag];
        match value.len() {
            0..=0x7f => out.push(value.len() as u8),
            0x80..=0xff => out.extend([0x81, value.len() as u8]),
            len => out.extend([0x82, (len >> 8) as u8, len as u8]),
        }
        out.extend(value);
        out
    }

    pub const SHA256: &[u8] = &[0x06, 9, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];

    /// A TSTInfo with this digest and time, and more fields after the time.
    pub fn tst_info(digest: &[u8], time: &str, more: &[u8]) -> Vec<u8> {
        let algorithm = element(0x30, &[SHA256, &[5, 0]]);
        let imprint = element(0x30, &[&algorithm, &element(4, &[digest])]);
        let policy = element(6, &[&[0x2a, 0x03]]);
        let time = element(0x18, &[time.as_bytes()]);
        element(0x30, &[&[2, 1, 1], &policy, &imprint, &[2, 1, 7], &time, more])
    }
}
