//! Permissions, relations and policies: who may ask about whom, the documented forms, and the engines against independent ones.

#[cfg(feature = "blocking")]
mod admin;
mod policies;
mod relations;
mod rules;

use lumoauth::embed::Route;
use lumoauth::embed::wire::{Request, Response};
use lumoauth::emulator::Emulator;
use lumoauth::http::Method;
use serde_json::Value;

/// With the first API key.
fn keyed(emulator: &Emulator, route: Route, body: &Value) -> Response {
    let request = Request::new(route.method(), emulator.site().url(route)).json(body);
    let request = request.api_key(emulator.api_key().unwrap()).unwrap();
    emulator.handle_in_process(&request).response
}

fn with_token(emulator: &Emulator, method: Method, path: &str, token: &str, body: &Value) -> Response {
    let request = Request::new(method, emulator.site().join(path).unwrap()).json(body);
    emulator.handle_in_process(&super::support::bearer(request, token)).response
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % sides as u64) as usize
    }

    fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.roll(all.len())].clone()
    }
}
