//! Where machines change their key, where people ask them to, and where the authority that
//! machines must believe is fetched.

use fournil_protocol::limits::ENROL_BYTES_MAX;
use fournil_protocol::rotate::{ChallengeAnswer, ChallengeRequest, RotateRefusal, RotateRequest};
use uuid::Uuid;

use super::parts::read_gateway;
use super::{MANAGE, VIEW};
use crate::db::Begun;
use crate::gateways::rotate::{self, RotateError};
use crate::i18n::Message;
use crate::web::{Access, Error, Request, Response, Result, Route, get, post};

pub(super) fn routes() -> Vec<Route> {
    vec![
        post("/gateway/rotate/challenge", Access::Public, challenge)
            .guarded()
            .with_body_bytes_max(ENROL_BYTES_MAX),
        post("/gateway/rotate", Access::Public, take)
            .guarded()
            .with_body_bytes_max(ENROL_BYTES_MAX),
        get("/gateways/authority.pem", VIEW, authority),
        post("/gateways/{gateway_id}/rotate", MANAGE, ask),
    ]
}

/// A machine asks for something fresh to sign.
async fn challenge(request: Request) -> Result<Response> {
    let read = request.json::<ChallengeRequest>().ok();
    let gateway_id = read.and_then(|asked| Uuid::parse_str(&asked.gateway_id).ok());
    let made = match gateway_id {
        Some(gateway_id) => {
            let app = request.app();
            rotate::challenge(&app.db, gateway_id, app.time.now()).await
        }
        None => Err(RotateError::BadRequest),
    };
    match made {
        Ok(nonce) => Response::json(&ChallengeAnswer { nonce }),
        Err(error) => refusal(&request, &error),
    }
}

/// A machine proposes a new key. Answers JSON whatever happens.
async fn take(request: Request) -> Result<Response> {
    let app = request.app();
    let taken = match request.json::<RotateRequest>() {
        Ok(asked) => rotate::rotate(&app.db, &app.public_name, app.time.now(), &asked).await,
        Err(_) => Err(RotateError::BadRequest),
    };
    match taken {
        Ok(answer) => Response::json(&answer),
        Err(error) => refusal(&request, &error),
    }
}

fn refusal(request: &Request, error: &RotateError) -> Result<Response> {
    if let RotateError::Db(cause) = error {
        tracing::warn!(error = %cause, "a new key could not be stored");
    }
    let message = request.texts().say(&error.message());
    let refusal = RotateRefusal { error: error.word().to_owned(), message };
    Ok(Response::json(&refusal)?.with_status(error.status()))
}

/// A person wants a machine to change its key.
async fn ask(request: Request) -> Result<Response> {
    let gateway = read_gateway(&request).await?;
    let (actor, key) = (request.actor()?, request.idempotency_key()?);
    let db = &request.app().db;
    let begun = db.begin_once::<_, ()>(&actor, key, "gateways.rotate", &gateway.gateway_id).await?;
    if let Begun::Fresh(mut act) = begun {
        if !rotate::ask(&mut act, gateway.gateway_id).await? {
            return Err(Error::Refused(Message::new("gateways-not-active")));
        }
        act.commit_with(&()).await?;
    }
    Ok(Response::see_other(&format!("/gateways/{}", gateway.gateway_id)))
}

/// The authority's certificate, for the machine of a shop.
async fn authority(request: Request) -> Result<Response> {
    let pem = request.app().authority_pem.clone().ok_or(Error::NotFound)?;
    let response = Response::bytes("application/x-pem-file", pem.into());
    Ok(response.with_header("content-disposition", "attachment; filename=\"fournil-ca.pem\""))
}
