//! A network of which every answer is a line of a test, for faults that real parts won't produce.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ::net::{Answer, Method, Net, NetError, Request};

/// What a scripted machine does with a request that nothing else was said about.
type Handler = Box<dyn Fn(&Request) -> Result<Answer, NetError> + Send + Sync>;

/// A [`Net`] that answers from a map of addresses, from a function, or with faults given beforehand; it keeps what
/// it was asked.
#[derive(Default)]
pub struct ScriptedNet {
    state: Mutex<State>,
    handler: Option<Handler>,
}

#[derive(Default)]
struct State {
    pages: BTreeMap<String, Answer>,
    /// Part of an address, and what the next request to such an address gets.
    once: Vec<(String, Result<Answer, NetError>)>,
    calls: Vec<Request>,
}

impl ScriptedNet {
    /// A network in which nobody answers.
    pub fn new() -> ScriptedNet {
        ScriptedNet::default()
    }

    /// A network that asks `handler` whatever was not said beforehand.
    pub fn with(
        handler: impl Fn(&Request) -> Result<Answer, NetError> + Send + Sync + 'static,
    ) -> ScriptedNet {
        ScriptedNet { state: Mutex::default(), handler: Some(Box::new(handler)) }
    }

    /// Puts something at an address, for GET and HEAD.
    pub fn put(&self, url: &str, answer: Answer) {
        self.state().pages.insert(url.to_owned(), answer);
    }

    /// Takes away what is at an address.
    pub fn remove(&self, url: &str) {
        self.state().pages.remove(url);
    }

    /// Answers the next request whose address contains `part` with this; several wait in line.
    pub fn once(&self, part: &str, answer: Result<Answer, NetError>) {
        self.state().once.push((part.to_owned(), answer));
    }

    /// What was asked so far, in order.
    pub fn calls(&self) -> Vec<Request> {
        self.state().calls.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Net for ScriptedNet {
    fn call(&self, request: &Request) -> Result<Answer, NetError> {
        let mut state = self.state();
        state.calls.push(request.clone());
        if let Some(at) = state.once.iter().position(|(part, _)| request.url.contains(part.as_str())) {
            return within_limit(state.once.remove(at).1, request);
        }
        let page = matches!(request.method, Method::Get | Method::Head)
            .then(|| state.pages.get(&request.url).cloned())
            .flatten();
        // The handler may take its time, or ask this very network.
        drop(state);
        match (page, &self.handler) {
            (Some(page), _) => within_limit(Ok(page), request),
            (None, Some(handler)) => within_limit(handler(request), request),
            (None, None) => {
                let why = "there is no such machine".to_owned();
                Err(NetError::Unreachable { url: request.url.clone(), why })
            }
        }
    }
}

/// Holds to what every implementation promises.
fn within_limit(answer: Result<Answer, NetError>, request: &Request) -> Result<Answer, NetError> {
    match answer {
        Ok(answer) if answer.body.len() as u64 > request.max_answer => {
            Err(NetError::TooLarge { url: request.url.clone(), limit: request.max_answer })
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_faults_and_the_handler_answer_in_this_order() {
        let net = ScriptedNet::with(|_| Ok(Answer::new(404, "")));
        net.put("http://a/x", Answer::new(200, "page"));
        net.once("/x", Err(NetError::Broken { url: "http://a/x".to_owned(), why: "cut".to_owned() }));
        assert!(net.call(&Request::get("http://a/x")).is_err());
        assert_eq!(net.call(&Request::get("http://a/x")), Ok(Answer::new(200, "page")));
        assert_eq!(net.call(&Request::get("http://a/y")), Ok(Answer::new(404, "")));
        let short = Request::get("http://a/x").at_most(3);
        assert!(matches!(net.call(&short), Err(NetError::TooLarge { limit: 3, .. })));
        assert_eq!(net.calls().len(), 4);
    }

    #[test]
    fn nobody_answers_in_an_empty_network() {
        let error = ScriptedNet::new().call(&Request::get("http://a")).expect_err("nobody");
        assert!(error.is_passing());
    }
}
