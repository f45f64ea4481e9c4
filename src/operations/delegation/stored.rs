//! A session as bytes and back, read strictly: what is malformed is never taken for absent.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{Claim, Pending, Person, Redeeming, User, UserSession};
use crate::error::InputError;
use crate::json;
use crate::secret::Secret;
use crate::time::Timestamp;

impl UserSession {
    /// The session as bytes for a store. **Secret**: they hold the user's tokens in the clear.
    pub fn to_bytes(&self) -> Vec<u8> {
        let UserSession { pending, user, person, claim: renewing, redeeming, displaced, generation } = self;
        let consent = |pending: &Pending| {
            json!({
                "client_id": pending.client_id, "state": pending.state.expose(),
                "verifier": pending.verifier.expose(), "redirect_uri": pending.redirect_uri, "scope": pending.scopes.to_string(),
                "since": pending.since.unix_millis(),
            })
        };
        let user = user.as_ref().map(|user| {
            json!({
                "access": user.access.expose(), "type": user.token_type, "scope": user.scopes.to_string(),
                "consented": user.consented.to_string(),
                "expires_at": user.expires_at.map(Timestamp::unix_millis),
                "lifetime": user.lifetime.map(|lifetime| u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX)),
                "refresh": user.refresh.as_ref().map(Secret::expose),
                "put_off": user.put_off.map(Timestamp::unix_millis),
            })
        });
        let claim = |claim: &Claim| json!({ "by": claim.by, "at": claim.at.unix_millis() });
        let code = |redeeming: &Redeeming| {
            let Redeeming { claim, pending } = redeeming;
            json!({ "by": claim.by, "at": claim.at.unix_millis(), "pending": pending.as_ref().map(consent) })
        };
        json!({
            "version": 1, "generation": generation, "user": user, "person": person.as_ref().map(written),
            "pending": pending.iter().map(consent).collect::<Vec<_>>(),
            "claim": renewing.as_ref().map(claim), "redeeming": redeeming.as_ref().map(code),
            "displaced": displaced.iter().map(Secret::expose).collect::<Vec<_>>(),
        })
        .to_string()
        .into_bytes()
    }

    /// The session that [`UserSession::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`InputError`] if the bytes are something else. Nothing of them is shown.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InputError> {
        UserSession::parse(bytes)
            .ok_or_else(|| InputError::new("session", "has bytes that are not a stored session"))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let Value::Object(map) = json::parse(bytes).ok()? else { return None };
        if map.get("version")?.as_u64()? != 1 {
            return None;
        }
        // One consent alone is as earlier versions wrote it.
        let pending = match map.get("pending")? {
            Value::Null => Vec::new(),
            Value::Object(one) => vec![consent(one)?],
            Value::Array(all) => {
                all.iter().map(|one| one.as_object().and_then(consent)).collect::<Option<Vec<_>>>()?
            }
            _ => return None,
        };
        let user = match object(&map, "user")? {
            None => None,
            Some(map) => Some(User {
                access: text(map, "access")?.into(),
                token_type: text(map, "type")?,
                scopes: text(map, "scope")?.into(),
                // Earlier versions wrote none.
                consented: match map.get("consented") {
                    None => text(map, "scope")?.into(),
                    Some(consented) => consented.as_str()?.into(),
                },
                expires_at: time(map, "expires_at")?,
                lifetime: match map.get("lifetime") {
                    None | Some(Value::Null) => None,
                    Some(lifetime) => Some(Duration::from_millis(lifetime.as_u64()?)),
                },
                refresh: match map.get("refresh")? {
                    Value::Null => None,
                    refresh => Some(Secret::new(refresh.as_str()?)),
                },
                put_off: time(map, "put_off")?,
            }),
        };
        // Earlier versions wrote none.
        let person = match map.get("person") {
            None | Some(Value::Null) => None,
            Some(person) => Some(person_of(person.as_object()?)?),
        };
        let renewing = claim(&map, "claim")?;
        let redeeming = match (claim(&map, "redeeming")?, object(&map, "redeeming")?) {
            (Some(claim), Some(map)) => {
                let pending = match map.get("pending") {
                    None | Some(Value::Null) => None,
                    Some(pending) => Some(consent(pending.as_object()?)?),
                };
                Some(Redeeming { claim, pending })
            }
            _ => None,
        };
        let displaced = map.get("displaced")?.as_array()?;
        let displaced = displaced.iter().map(|token| token.as_str().map(Secret::new));
        let displaced = displaced.collect::<Option<Vec<_>>>()?;
        let generation = map.get("generation")?.as_u64()?;
        Some(UserSession { pending, user, person, claim: renewing, redeeming, displaced, generation })
    }
}

fn consent(map: &Map<String, Value>) -> Option<Pending> {
    Some(Pending {
        client_id: text(map, "client_id")?,
        state: text(map, "state")?.into(),
        verifier: text(map, "verifier")?.into(),
        redirect_uri: text(map, "redirect_uri")?,
        scopes: text(map, "scope")?.into(),
        since: time(map, "since")??,
    })
}

fn written(person: &Person) -> Value {
    json!({
        "sub": person.subject(), "iss": person.issuer(), "claims": person.claims(),
        "id_token": person.id_token().expose(),
        "since": person.since().unix_millis(), "until": person.until().unix_millis(),
    })
}

fn person_of(map: &Map<String, Value>) -> Option<Person> {
    let who = (map.get("iss")?.as_str()?, map.get("sub")?.as_str()?);
    let claims = map.get("claims")?.as_object()?.clone();
    let (since, until) = (time(map, "since")??, time(map, "until")??);
    Some(Person::new(who, claims, text(map, "id_token")?.into(), since, until))
}

/// A member that is a claim or null. None: it is neither, or not there.
fn claim(map: &Map<String, Value>, name: &str) -> Option<Option<Claim>> {
    match object(map, name)? {
        None => Some(None),
        Some(map) => Some(Some(Claim { by: text(map, "by")?, at: time(map, "at")?? })),
    }
}

/// A member that is an object or null. None: it is neither, or not there.
fn object<'m>(map: &'m Map<String, Value>, name: &str) -> Option<Option<&'m Map<String, Value>>> {
    match map.get(name)? {
        Value::Null => Some(None),
        Value::Object(object) => Some(Some(object)),
        _ => None,
    }
}

fn text(map: &Map<String, Value>, name: &str) -> Option<String> {
    map.get(name)?.as_str().map(str::to_owned)
}

/// A member that is a time or null. None: it is neither, or not there.
fn time(map: &Map<String, Value>, name: &str) -> Option<Option<Timestamp>> {
    match map.get(name)? {
        Value::Null => Some(None),
        time => time.as_u64().map(|time| Some(Timestamp::from_unix_millis(time))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_is_not_absent() {
        let good = json!({
            "version": 1, "generation": 3, "pending": null,
            "user": {"access": "a", "type": "Bearer", "scope": "s", "consented": "s", "expires_at": 5, "refresh": "r",
                "lifetime": null, "put_off": null},
            "claim": {"by": "me", "at": 7}, "redeeming": null, "displaced": ["r0"],
            "person": {"sub": "u", "iss": "i", "claims": {"email": "e"}, "id_token": "t", "since": 1, "until": 2},
        });
        let read = |value: &Value| UserSession::from_bytes(value.to_string().as_bytes());
        assert!(read(&good).is_ok());
        for (place, odd) in [
            ("/version", json!(2)),
            ("/generation", json!("3")),
            ("/pending", json!(5)),
            ("/pending", json!({})),
            ("/pending", json!([{}])),
            ("/pending", json!([5])),
            ("/user/lifetime", json!("5")),
            ("/redeeming", json!({"by": "me", "at": 7, "pending": 5})),
            ("/user", json!([])),
            ("/user/access", json!(null)),
            ("/user/expires_at", json!("5")),
            ("/user/expires_at", json!(-1)),
            ("/user/refresh", json!(0)),
            ("/user/refresh", json!(["r"])),
            ("/user/put_off", json!("5")),
            ("/user/consented", json!(["s"])),
            ("/user/consented", json!(null)),
            ("/redeeming", json!(true)),
            ("/person", json!("u")),
            ("/person", json!({})),
            ("/person/sub", json!(7)),
            ("/person/claims", json!([])),
            ("/person/id_token", json!(null)),
            ("/person/until", json!("2")),
            ("/person/until", json!(null)),
            ("/displaced", json!(null)),
            ("/displaced", json!(["r", 0])),
            ("/claim", json!("me")),
            ("/claim/at", json!(null)),
        ] {
            let mut bad = good.clone();
            *bad.pointer_mut(place).unwrap() = odd.clone();
            assert!(read(&bad).is_err(), "{place} {odd}");
        }
        for name in ["generation", "pending", "user", "claim", "redeeming", "displaced"] {
            let mut bad = good.clone();
            bad.as_object_mut().unwrap().remove(name);
            assert!(read(&bad).is_err(), "{name}");
        }
    }
}
