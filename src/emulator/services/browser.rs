//! The browser that a request comes from: who is signed in with it.

use http::header::{COOKIE, HeaderValue, SET_COOKIE};

use crate::emulator::call::Call;
use crate::emulator::state::State;
use crate::emulator::state::browsers::Browser;
use crate::emulator::values::answer::Answer;
use crate::emulator::values::lifetime::{BROWSER, in_seconds};

const NAME: &str = "lumoauth_emulator";

/// The cookie of the browser, if there is exactly one.
pub(crate) fn id<'c>(call: &'c Call<'_>) -> Option<&'c str> {
    let lines = call.incoming.headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut own = pairs.filter(|(name, _)| *name == NAME).map(|(_, value)| value);
    let id = own.next()?;
    own.next().is_none().then_some(id)
}

/// Who is signed in with it.
pub(crate) fn signed_in(state: &State, call: &Call<'_>) -> Option<Browser> {
    state.world.browsers.find(id(call)?, call.tenant, call.now).cloned()
}

/// Somebody signs in with it: under a new name, whatever it had before.
pub(crate) fn sign_in(state: &mut State, call: &Call<'_>, user: &str, answer: Answer) -> Answer {
    if let Some(before) = id(call) {
        state.world.browsers.sign_out(before);
    }
    let (id, csrf) = (state.ids.secret("bs_"), state.ids.secret(""));
    let browser = Browser {
        tenant: call.tenant,
        user: user.to_owned(),
        auth_time: call.now,
        expires_at: in_seconds(call.now, BROWSER),
        csrf,
    };
    state.world.browsers.sign_in(&id, browser, call.now);
    cookie(answer, &format!("{NAME}={}; Path=/; HttpOnly; SameSite=Lax", id.expose()))
}

/// Nobody is signed in with it any more.
pub(crate) fn sign_out(state: &mut State, call: &Call<'_>, answer: Answer) -> Answer {
    let Some(id) = id(call) else { return answer };
    state.world.browsers.sign_out(id);
    cookie(answer, &format!("{NAME}=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"))
}

fn cookie(answer: Answer, text: &str) -> Answer {
    match HeaderValue::from_str(text) {
        Ok(mut value) => {
            value.set_sensitive(true);
            answer.with(SET_COOKIE, value)
        }
        Err(_) => answer,
    }
}
