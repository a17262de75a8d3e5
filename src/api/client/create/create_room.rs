use appservice::Appservices;
use axum::extract::State;
use flows::Flows;
use http::StatusCode;
use room::{CreateRoom, InitialState, MemberProfile, Preset};
use ruma::{
    OwnedUserId,
    api::{
        client::room::{
            Visibility,
            create_room::v3::{Request, Response, RoomPreset},
        },
        error::ErrorCode,
    },
    serde::Raw,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, value::RawValue};

use crate::{Authed, Class, MatrixError, RateLimits, Reply, auth::is_limited, client::own::not_suspended, limits::Key};

/// `POST /_matrix/client/v3/createRoom`
pub async fn create_room(
    State(flows): State<Flows>,
    State(appservices): State<Appservices>,
    State(limits): State<RateLimits>,
    Authed { user, account, appservice, mut req, .. }: Authed<Request>,
) -> Result<Reply<Response>, MatrixError> {
    not_suspended(&account)?;
    if !req.invite_3pid.is_empty() {
        let message = "this server does not look up e-mail addresses and phone numbers: invite by user id";
        return Err(MatrixError::new(StatusCode::FORBIDDEN, ErrorCode::ThreepidDenied, message));
    }
    let invites = std::mem::take(&mut req.invite);
    if is_limited(appservice.as_ref(), &user) {
        limits.take_many(Class::Invite, Key::user(&user), invites.len())?;
    }
    let new = asked_for(&flows, user, req)?;
    if let Some(alias) = &new.alias {
        appservices.check_alias(appservice.as_ref(), alias)?;
    }
    Ok(Reply(Response::new(flows.create(new, invites).await?)))
}

fn asked_for(flows: &Flows, creator: OwnedUserId, req: Request) -> Result<CreateRoom, MatrixError> {
    let published = req.visibility == Visibility::Public;
    let alias = req.room_alias_name.filter(|name| !name.is_empty());
    Ok(CreateRoom {
        creator,
        profile: MemberProfile::default(),
        version: req.room_version,
        creation_content: object(req.creation_content)?,
        preset: preset(req.preset.as_ref(), published)?,
        published,
        alias: alias.map(|name| flows.rooms.local_alias(&name)).transpose()?,
        name: req.name,
        topic: req.topic,
        power_levels: object(req.power_level_content_override)?,
        initial_state: req.initial_state.iter().map(initial_state).collect::<Result<_, _>>()?,
        invites: Vec::new(),
        is_direct: req.is_direct,
    })
}

fn preset(asked: Option<&RoomPreset>, published: bool) -> Result<Preset, MatrixError> {
    match asked {
        Some(RoomPreset::PublicChat) => Ok(Preset::PublicChat),
        Some(RoomPreset::PrivateChat) => Ok(Preset::PrivateChat),
        Some(RoomPreset::TrustedPrivateChat) => Ok(Preset::TrustedPrivateChat),
        None if published => Ok(Preset::PublicChat),
        None => Ok(Preset::PrivateChat),
        Some(other) => Err(MatrixError::invalid_param(format!("there is no preset {other}"))),
    }
}

#[derive(Deserialize)]
struct Given {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    state_key: String,
    content: Box<RawValue>,
}

fn initial_state<T>(raw: &Raw<T>) -> Result<InitialState, MatrixError> {
    let Given { kind, state_key, content } = parsed(raw)?;
    if !content.get().starts_with('{') {
        return Err(MatrixError::bad_json(format!("initial_state: the content of {kind} must be an object")));
    }
    Ok(InitialState { kind: kind.into(), state_key, content })
}

fn object<T>(raw: Option<Raw<T>>) -> Result<Map<String, Value>, MatrixError> {
    raw.map_or_else(|| Ok(Map::new()), |raw| parsed(&raw))
}

fn parsed<T, R: DeserializeOwned>(raw: &Raw<T>) -> Result<R, MatrixError> {
    serde_json::from_str(raw.json().get()).map_err(|error| MatrixError::bad_json(error.to_string()))
}
