use std::time::Duration;

/// What the edge may hold, run at once and wait for (DESIGN I9). [`Limits::default`] is what `up` runs with.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections open at once; one more is answered 503 and closed.
    pub connections: usize,
    /// Connections open at once from one client, an address of IPv4 or a network of 64 bits of IPv6; one more likewise.
    pub connections_per_address: usize,
    /// The same for this machine's own addresses, from where a proxy brings everybody's.
    pub connections_from_loopback: usize,
    /// Bytes of a request's head (HTTP/1) or header list (HTTP/2); beyond it 431.
    pub head_bytes: usize,
    /// Streams of one HTTP/2 connection.
    pub streams_per_connection: u32,
    /// For how long a request's head may take; also how long a connection may idle between requests.
    pub head_wait: Duration,
    /// TLS handshakes under way at once; one more ends the one that has waited longest.
    pub handshakes: usize,
    /// For how long a TLS handshake may take.
    pub handshake_wait: Duration,
    /// For how long a body may pause; beyond it 408.
    pub body_wait: Duration,
    /// For how long the sender of a body may be waited for, all in all, before [`Limits::body_rate`] is asked of it.
    pub body_grace: Duration,
    /// Bytes a second, as they are sent, that must come on average beyond the grace; with less 408.
    pub body_rate: u64,
    /// For how long requests may go on once the server stops.
    pub shutdown_wait: Duration,

    /// Appends handled at once; one more is answered 429.
    pub appends: usize,
    /// Appends with a body longer than one block that are read at once; others wait with their body unread.
    pub streamed_appends: usize,
    /// Appends that may hold a record longer than one block (256 KiB) at once; others wait with their body unread.
    pub long_records: usize,
    /// Appends among those that may hold a record longer than 4 MiB at once.
    pub large_records: usize,
    /// Bytes of one request's body once it is inflated; beyond it 413.
    pub body_bytes: u64,
    /// Bytes of one record; a larger one is quarantined by size and hash.
    pub record_bytes: u64,
    /// Bytes of prepared records, of all requests, that wait for the engine.
    pub queued_bytes: usize,
    /// The same for small blocks of sources with no other append under way, which do not wait behind what others send.
    pub queued_small_bytes: usize,
    /// Blocks of one request that are mapped or written at once.
    pub blocks_in_flight: usize,
    /// Receipts in one answer; those of further records are asked for one by one.
    pub receipts: usize,
    /// For how long `wait=committed` waits for a checkpoint.
    pub commit_wait: Duration,
    /// For how long `wait=witnessed` waits for witnesses.
    pub witness_wait: Duration,

    /// Blocks mapped at once, over all requests.
    pub mappers: usize,
    /// Small reads (one record, one tile, one proof) at once.
    pub reads: usize,
    /// Scans (search, records) that read at once.
    pub scans: usize,
    /// Evidence files made at once; one more is answered 429.
    pub exports: usize,
    /// Readers that follow a ledger at once; one more is answered 429.
    pub tails: usize,
    /// How often what was counted (refusals, reads of bundles) is put on record.
    pub count_interval: Duration,
    /// How often the newest checkpoint of the ledger of accesses is entered in every other ledger.
    pub spread_interval: Duration,
    /// Records that one search looks at; the answer says where to go on.
    pub search_records: u64,
    /// Hits in one answer.
    pub search_hits: usize,
    /// Records of the ledger of accesses that a start looks back over for alarms that nobody has acknowledged; what lies
    /// before them is told not to have been looked at.
    pub alarm_records: u64,
    /// Bytes of a small JSON body (sources, epochs).
    pub small_body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_per_address: 256,
            connections_from_loopback: 1024,
            head_bytes: 64 << 10,
            streams_per_connection: 128,
            head_wait: Duration::from_secs(30),
            handshakes: 128,
            handshake_wait: Duration::from_secs(10),
            body_wait: Duration::from_secs(30),
            body_grace: Duration::from_secs(30),
            body_rate: 1024,
            shutdown_wait: Duration::from_secs(10),
            appends: 1024,
            streamed_appends: 64,
            long_records: 8,
            large_records: 1,
            body_bytes: 256 << 20,
            record_bytes: wire::MAX_EVENT,
            queued_bytes: 48 << 20,
            queued_small_bytes: 4 << 20,
            blocks_in_flight: 4,
            receipts: 8192,
            commit_wait: Duration::from_secs(30),
            witness_wait: Duration::from_secs(60),
            mappers: 2,
            reads: 16,
            scans: 2,
            exports: 2,
            tails: 64,
            count_interval: Duration::from_secs(60),
            spread_interval: Duration::from_secs(3600),
            search_records: 1 << 20,
            search_hits: 1000,
            alarm_records: 1 << 20,
            small_body_bytes: 64 << 10,
        }
    }
}
