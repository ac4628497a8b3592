//! Two calendars: one that promises and keeps, and one that does what the test says.

use timestamp::ots::{Attestation, BlockHeader, DetachedFile, Op, Tree, calendar};

use super::*;

const FIRST: &str = "https://first.example/calendar";
const SECOND: &str = "https://second.example";

/// Appends eight bytes, hashes, and promises under `uri`.
fn promise(commitment: &[u8], uri: &str) -> Answer {
    let mut tree = Tree::new(commitment.to_vec()).unwrap();
    let end = tree.then(Op::Append(vec![1; 8])).unwrap().then(Op::Sha256).unwrap();
    end.attest(Attestation::pending(uri).unwrap());
    Answer::new(200, calendar::to_answer(&tree).unwrap())
}

/// Leads to the Merkle root of a block, which it returns too.
fn block(message: &[u8], height: u64) -> (Answer, [u8; 32]) {
    let mut tree = Tree::new(message.to_vec()).unwrap();
    let end =
        tree.then(Op::Prepend(vec![2; 60])).unwrap().then(Op::Sha256).unwrap().then(Op::Sha256).unwrap();
    end.attest(Attestation::Bitcoin { height });
    let root = end.message().try_into().unwrap();
    (Answer::new(200, calendar::to_answer(&tree).unwrap()), root)
}

struct Calendars {
    memory: Arc<Memory>,
    env: Arc<SimEnv>,
    net: Arc<ScriptedNet>,
    rounds: Rounds,
    news: Vec<(String, News)>,
}

impl Calendars {
    fn new(memory: Arc<Memory>) -> Self {
        let net = ScriptedNet::with(|request: &Request| {
            assert!(request.headers.contains(&("accept".to_owned(), calendar::MEDIA_TYPE.to_owned())));
            match request.url.split_once("/timestamp/") {
                None => Ok(promise(&request.body, request.url.strip_suffix("/digest").unwrap())),
                Some(_) => Ok(Answer::new(404, "Pending confirmation in Bitcoin blockchain")),
            }
        });
        let env = Arc::new(SimEnv::new(7, 1_800_000_000_000));
        let net = Arc::new(net);
        let options = Options {
            authorities: Vec::new(),
            trusted: None,
            calendars: vec![FIRST.to_owned(), SECOND.to_owned()],
            interval: Duration::from_secs(3600),
            timeout: Duration::from_secs(5),
        };
        let ledgers: Vec<Arc<dyn Ledger>> = vec![memory.clone()];
        let rounds = Rounds::new(ledgers, options, net.clone(), env.clone() as Arc<dyn Env>);
        Self { memory, env, net, rounds, news: Vec::new() }
    }

    fn run(&mut self) -> Vec<(String, News)> {
        let news = &mut self.news;
        self.rounds
            .run_due(&|| false, &mut |_, calendar, heard| news.push((calendar.to_owned(), heard.clone())));
        std::mem::take(&mut self.news)
    }

    fn file(&self, size: u64) -> DetachedFile {
        DetachedFile::parse(&self.memory.read_ots(size).unwrap()).unwrap()
    }

    /// What the next question to a calendar gets, in answer to the promise it made about a checkpoint.
    fn keeps(&self, uri: &str, size: u64, height: u64) -> [u8; 32] {
        let file = self.file(size);
        let (message, _) = file.promises().into_iter().find(|(_, by)| *by == uri).unwrap();
        let (answer, root) = block(message, height);
        self.net.once(&format!("{uri}/timestamp/"), Ok(answer));
        root
    }
}

fn told(calendar: &str, news: News) -> (String, News) {
    (calendar.to_owned(), news)
}

#[test]
fn a_checkpoint_is_promised_by_each_calendar_and_followed_to_a_block() {
    let mut scene = Calendars::new(Arc::default());
    assert_eq!(scene.run(), [], "there is nothing to stamp");
    scene.memory.grow();
    let promised = [told("first.example", News::Promised(1)), told("second.example", News::Promised(1))];
    assert_eq!(scene.run(), promised);
    let calls = scene.net.calls();
    let digest = timestamp::digest(checkpoint(1).to_text().as_bytes());
    assert_eq!(calls[0].body, calls[1].body, "one nonce for all");
    assert!(calls[0].body.len() == 32 && calls[0].body != digest, "calendars do not see what is stamped");
    assert_eq!(scene.file(1).digest(), digest);
    assert_eq!(scene.file(1).promises().len(), 2);
    let status = scene.rounds.calendars();
    let first = (status[0].calendar.as_str(), status[0].promises, status[0].pending, status[0].newest);
    assert_eq!((first, status.len()), (("first.example", 1, 1, None), 2));

    assert_eq!(scene.run(), [], "not at once");
    scene.env.advance(60_000);
    assert_eq!(scene.run(), [], "no block yet");
    scene.env.advance(3_600_000);
    let root = scene.keeps(FIRST, 1, 800_000);
    let attested = Attested { size: 1, height: 800_000 };
    assert_eq!(scene.run(), [told("first.example", News::Attested(attested))]);
    let status = scene.rounds.calendars();
    assert_eq!((status[1].pending, status[1].newest, &status[1].error), (0, Some(attested), &None));
    let mut header = [0; 80];
    header[36..68].copy_from_slice(&root);
    let time = scene.file(1).verify(&digest, 800_000, &BlockHeader::new(header)).unwrap();
    assert_eq!(time.height, 800_000);

    // One block is enough: nobody is asked any more, however long it takes.
    let asked = scene.net.calls().len();
    scene.env.advance(7_200_000);
    assert_eq!(scene.run(), []);
    assert_eq!(scene.net.calls().len(), asked);
}

#[test]
fn what_an_earlier_run_left_is_followed_up() {
    let memory = Arc::<Memory>::default();
    let mut scene = Calendars::new(memory.clone());
    memory.grow();
    scene.run();
    scene.env.advance(3_600_000);
    scene.keeps(SECOND, 1, 800_000);
    scene.run();
    memory.grow();
    scene.env.advance(3_600_000);
    scene.run();
    memory.files.lock().unwrap().insert("3.ots".to_owned(), b"no such file".to_vec());

    let mut scene = Calendars::new(memory);
    scene.keeps(FIRST, 2, 800_006);
    // It is not submitted again: what is there may be more than a new promise.
    let attested = Attested { size: 2, height: 800_006 };
    assert_eq!(scene.run(), [told("first.example", News::Attested(attested))]);
    let status = scene.rounds.calendars();
    assert_eq!((status[0].newest, status[0].pending), (Some(attested), 0));
    assert!(scene.net.calls().iter().all(|call| !call.url.ends_with("/digest")));
}

/// Promises are asked about though new ones come as often.
#[test]
fn new_promises_do_not_put_off_old_ones() {
    let mut scene = Calendars::new(Arc::default());
    for size in 1..=3 {
        scene.memory.grow();
        scene.run();
        assert_eq!(scene.memory.ots(9).len(), size);
        scene.env.advance(3_600_000);
    }
    let asked = scene.net.calls().iter().filter(|call| call.url.contains("/timestamp/")).count();
    assert_eq!(asked, 2 * (2 + 3), "of two calendars, about two and then three");
}

#[test]
fn a_calendar_that_fails_or_promises_for_another_keeps_nobody_back() {
    let mut scene = Calendars::new(Arc::default());
    scene.memory.grow();
    scene.net.once("first", Ok(Answer::new(503, "later")));
    let failed = News::Failed("no calendar answers there: HTTP status 503".to_owned());
    assert_eq!(scene.run(), [told("first.example", failed), told("second.example", News::Promised(1))]);
    assert_eq!(scene.file(1).promises().len(), 1);

    scene.memory.grow();
    scene.env.advance(3_600_000);
    scene.net.once("second.example/digest", Ok(Answer::new(200, "\u{0}garbage")));
    let news = scene.run();
    assert!(
        matches!(&news[0], (who, News::Failed(why)) if who == "second.example" && why.contains("ends early")),
        "{news:?}"
    );
    assert_eq!(scene.file(2).promises().len(), 1);

    // Answers about nothing that was asked, and blocks of messages that no header can hold.
    scene.env.advance(3_600_000);
    let file = scene.file(2);
    let (message, _) = file.promises()[0];
    let mut tree = Tree::new(message.to_vec()).unwrap();
    tree.then(Op::Append(vec![9])).unwrap().attest(Attestation::Bitcoin { height: 1 });
    scene
        .net
        .once("first.example/calendar/timestamp", Ok(Answer::new(200, calendar::to_answer(&tree).unwrap())));
    scene.run();
    assert_eq!(scene.rounds.calendars()[0].pending, 2);
    assert_eq!(scene.file(2).blocks(), [] as [u64; 0]);
}

#[test]
fn a_promise_in_the_name_of_another_is_not_taken() {
    let mut scene = Calendars::new(Arc::default());
    scene.memory.grow();
    for name in ["first", "second"] {
        let mut answer = vec![0x00, 0x83, 0xdf, 0xe3, 0x0d, 0x2e, 0xf9, 0x0c, 0x8e, 0x17, 0x16];
        answer.extend_from_slice(b"https://evil.example:1");
        scene.net.once(name, Ok(Answer::new(200, answer)));
    }
    let news = scene.run();
    let why = "it promises nothing under the address it was asked at: name https://evil.example:1 instead";
    assert_eq!(news[0], told("first.example", News::Failed(why.to_owned())));
    assert!(scene.memory.read_ots(1).is_none());
    scene.env.advance(60_000);
    assert_eq!(scene.run().len(), 2, "tried again a minute later");
}

#[test]
fn a_file_that_can_not_be_stored_is_told() {
    let mut scene = Calendars::new(Arc::default());
    scene.memory.grow();
    *scene.memory.full.lock().unwrap() = true;
    let news = scene.run();
    assert!(matches!(&news[0].1, News::Failed(why) if why.contains("could not be stored")), "{news:?}");
    *scene.memory.full.lock().unwrap() = false;
    scene.env.advance(60_000);
    assert_eq!(scene.run().len(), 2);
}

#[test]
fn the_stop_submits_once_more() {
    let mut scene = Calendars::new(Arc::default());
    scene.memory.grow();
    scene.run();
    scene.memory.grow();
    scene.rounds.run_last(Duration::from_secs(8), &mut |_, _, _| {});
    assert_eq!(scene.memory.ots(9), [1, 2]);
}
