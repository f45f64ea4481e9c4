//! Scripts: what the server answers to which request.

use super::reply::Reply;
use super::request::Recorded;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A boxed script, as the helpers here make and take them.
pub type Script = Box<dyn Fn(&Recorded) -> Reply + Send + Sync>;

/// Boxes a closure as a script.
pub fn script(f: impl Fn(&Recorded) -> Reply + Send + Sync + 'static) -> Script {
    Box::new(f)
}

/// The same reply to every request.
pub fn always(reply: Reply) -> Script {
    script(move |_| reply.clone())
}

/// These replies one after the other, and the last again and again; panics on none.
pub fn sequence(replies: Vec<Reply>) -> Script {
    assert!(!replies.is_empty(), "a sequence needs a reply");
    let next = AtomicUsize::new(0);
    script(move |_| {
        let i = next.fetch_add(1, Ordering::SeqCst).min(replies.len() - 1);
        replies[i].clone()
    })
}

/// One reply to the n-th request that this script gets (counted from 0), the rest to `others`.
pub fn nth(n: usize, reply: Reply, others: Script) -> Script {
    let next = AtomicUsize::new(0);
    script(
        move |request| {
            if next.fetch_add(1, Ordering::SeqCst) == n { reply.clone() } else { others(request) }
        },
    )
}

/// The first script whose path the request's path ends with; 404 if there is none.
pub fn by_path<P: Into<String>>(routes: impl IntoIterator<Item = (P, Script)>) -> Script {
    let routes: Vec<(String, Script)> =
        routes.into_iter().map(|(path, script)| (path.into(), script)).collect();
    script(move |request| {
        let route = routes.iter().find(|(path, _)| request.path().ends_with(path.as_str()));
        match route {
            Some((_, script)) => script(request),
            None => Reply::text(404, format!("no route for {}", request.target)),
        }
    })
}
