//! What the API server says, in words: the errors of its client print its whole answer.

use kube::core::Status;
use kube::runtime::watcher;

/// What was refused or went wrong, and the API server's own word for it.
#[must_use]
pub fn of(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => of_answer(status),
        other => other.to_string(),
    }
}

/// The same of a watch.
#[must_use]
pub fn of_watch(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => of(error),
        watcher::Error::WatchError(status) => of_answer(status),
        watcher::Error::NoResourceVersion => error.to_string(),
    }
}

fn of_answer(status: &Status) -> String {
    let Status {
        message, reason, ..
    } = status;
    if reason.is_empty() {
        return message.clone();
    }
    format!("{message} ({reason})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_told_in_a_line() {
        let status = Status {
            message: "namespaces \"nosuch\" not found".to_owned(),
            reason: "NotFound".to_owned(),
            code: 404,
            ..Status::default()
        };
        let told = "namespaces \"nosuch\" not found (NotFound)";
        let error = || kube::Error::Api(Box::new(status.clone()));
        assert_eq!(of(&error()), told);
        assert_eq!(of_watch(&watcher::Error::WatchStartFailed(error())), told);
        let watch = watcher::Error::WatchError(Box::new(status.clone()));
        assert_eq!(of_watch(&watch), told);
    }
}
