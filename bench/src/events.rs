use ledger::Prepared;
use record::commit::Seed;
use record::entry::Kind;
use record::facet::{FacetDraft, WhenDraft, split};
use record::json;

/// Makes events that differ in what real ones differ in: time, person, session, resource, address, numbers.
pub struct Generator {
    state: u64,
    template: Vec<FacetDraft>,
}

impl Generator {
    /// Starts from a seed, so that a run can be repeated.
    pub fn new(seed: u64) -> Self {
        Self { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, template: Vec::new() }
    }

    /// The next pseudo-random number (xorshift64*): enough for test data.
    pub fn next(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A native event of about 400 bytes as JSON.
    pub fn native(&mut self) -> String {
        let (person, resource, session) = (self.next() % 5000, self.next() % 20000, self.next());
        let (a, b, ms) =
            (self.next() % 250, self.next() % 250, 1_790_000_000_000 + self.next() % 1_000_000_000);
        let verb = ["read", "update", "list", "delete", "create"][(self.next() % 5) as usize];
        let status = 1 + u64::from(self.next().is_multiple_of(20));
        let text = format!(
            r#"{{"class_uid":6003,"activity_id":2,"time":{ms},"status_id":{status},"severity_id":1,"metadata":{{"version":"1.8.0","uid":"{session:016x}-{resource:04x}"}},"actor":{{"user":{{"name":"user{person}@example.com","uid":"u-{person:06}"}},"session":{{"uid":"{session:016x}"}}}},"api":{{"operation":"{verb}"}},"resources":[{{"type":"table","name":"db.schema.table_{resource}"}}],"src_endpoint":{{"ip":"10.7.{a}.{b}"}}"#
        );
        let padding = 400usize.saturating_sub(text.len() + r#","message":""}"#.len());
        let mut message = String::with_capacity(padding);
        while message.len() < padding {
            message += &format!("row {} ", self.next() % 100_000);
        }
        message.truncate(padding);
        format!(r#"{text},"message":"{message}"}}"#)
    }

    /// A CloudTrail record of about 1,000 bytes as JSON.
    pub fn cloudtrail(&mut self) -> String {
        let (person, bucket, request, event) =
            (self.next() % 3000, self.next() % 8000, self.next(), self.next());
        let (a, b, second) = (self.next() % 250, self.next() % 250, self.next() % 86_400);
        let time = format!(
            "2026-10-{:02}T{:02}:{:02}:{:02}Z",
            1 + self.next() % 28,
            second / 3600,
            second / 60 % 60,
            second % 60
        );
        let (name, read_only) =
            [("GetObject", true), ("PutObject", false), ("DeleteObject", false), ("HeadObject", true)]
                [(self.next() % 4) as usize];
        let error = match self.next() % 12 {
            0 => r#""errorCode":"AccessDenied","errorMessage":"Access Denied","#,
            _ => "",
        };
        format!(
            r#"{{"eventVersion":"1.09","userIdentity":{{"type":"AssumedRole","principalId":"AROAEXAMPLE{person:07}:person{person}","arn":"arn:aws:sts::111122223333:assumed-role/reader/person{person}","accountId":"111122223333","accessKeyId":"ASIAEXAMPLE{person:09}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROAEXAMPLE{person:07}","arn":"arn:aws:iam::111122223333:role/reader","accountId":"111122223333","userName":"reader"}},"attributes":{{"creationDate":"2026-10-01T00:00:00Z","mfaAuthenticated":"false"}}}}}},"eventTime":"{time}","eventSource":"s3.amazonaws.com","eventName":"{name}","awsRegion":"eu-central-1","sourceIPAddress":"198.51.{a}.{b}","userAgent":"aws-cli/2.13.5 Python/3.11.4",{error}"requestParameters":{{"bucketName":"records-{bucket}","key":"year=2026/part-{event:016x}.parquet"}},"responseElements":null,"requestID":"{request:016X}","eventID":"{event:016x}-0000-4000-8000-{request:012x}","readOnly":{read_only},"eventType":"AwsApiCall","managementEvent":false,"recipientAccountId":"111122223333","eventCategory":"Data"}}"#
        )
    }

    /// An event as the gateway makes it: no raw bytes, about 400 bytes in its facets.
    pub fn gateway_event(&mut self) -> Prepared {
        if self.template.is_empty() {
            // Facets from a pool, so that making load costs little; seeds and hashing are fresh for each event.
            for _ in 0..4096 {
                let text = self.native();
                if let Ok(value) = json::parse(text.as_bytes()) {
                    self.template.push(split(&value));
                }
            }
        }
        let at = (self.next() % self.template.len() as u64) as usize;
        let draft = &self.template[at];
        let copy = FacetDraft {
            when: WhenDraft { head: draft.when.head.clone(), tail: draft.when.tail.clone() },
            who: draft.who.clone(),
            what: draft.what.clone(),
            content: draft.content.clone(),
            where_: draft.where_.clone(),
        };
        Prepared::new(Kind::Event, copy, b"", self.seed())
    }

    /// A native event of about 400 raw bytes, parsed and split.
    pub fn native_event(&mut self) -> Prepared {
        let text = self.native();
        let value = json::parse(text.as_bytes()).unwrap_or(json::Value::Null);
        Prepared::new(Kind::Event, split(&value), text.as_bytes(), self.seed())
    }

    fn seed(&mut self) -> Seed {
        let mut seed = [0; 16];
        seed[..8].copy_from_slice(&self.next().to_be_bytes());
        seed[8..].copy_from_slice(&self.next().to_be_bytes());
        Seed(seed)
    }
}
