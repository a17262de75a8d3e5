//! What goes into a transaction.

use bytes::Bytes;
use kv::{Positions, Read, View};
use serde_json::{Map, Value, json};

use super::{
    Outgoing,
    interest::Interest,
    mail::{DeviceLists, Mailed},
    walk::Batch,
};
use crate::{
    Appservice, Result,
    service::Service,
    tables::{CURSORS, Cursor, IN_FLIGHT, InFlight},
};

/// Steps of a walk that finds nothing before where it stands is noted.
const STEPS: usize = 16;
/// Positions without anything of interest after which where it stands is noted.
const NOTED: u64 = 1000;
/// Characters of a transaction's id.
const ID_LEN: usize = 20;

/// Where an application service stands.
#[derive(Debug)]
pub(super) struct Standing {
    pub interest: Interest,
    pub upto: Positions,
    /// The same as it is stored.
    pub stored: Positions,
}

/// What comes next for an application service.
pub(super) enum Next {
    /// Send this.
    Send(InFlight),
    /// Look on.
    More,
    /// Wait for news.
    Nothing,
}

impl Outgoing {
    /// Where `service` stood when the last process ended, and what it may not have got.
    pub(super) async fn standing(&self, service: &Appservice) -> Result<(Standing, Option<InFlight>)> {
        let tx = self.appservices.db.begin();
        let Cursor { upto } = tx.peek(&CURSORS, &service.id).await?.unwrap_or_default();
        let in_flight = tx.peek(&IN_FLIGHT, &service.id).await?;
        let interest = Interest::new(service.clone());
        Ok((Standing { interest, stored: upto.clone(), upto }, in_flight))
    }

    /// The next transaction, stored if what is in it must arrive: it is the same then each time that it is sent.
    pub(super) async fn next(&self, service: &Service, standing: &mut Standing) -> Result<Next> {
        let view = self.appservices.db.view();
        let batch = self.walk(&view, &mut standing.interest, &standing.upto, STEPS).await?;
        let (registration, more) = (&service.registration, batch.more);
        let mailed = if registration.ephemeral { self.mailed(&view, service).await? } else { Mailed::default() };
        let devices = match registration.encrypts {
            true => self.device_lists(&view, &mut standing.interest, &standing.upto, &batch).await?,
            false => DeviceLists::default(),
        };
        let passing = service.state.lock().passing.take();
        standing.upto = batch.upto.clone();
        let must_arrive = !batch.events.is_empty() || !mailed.messages.is_empty() || !devices.changed.is_empty();
        if !must_arrive && passing.is_empty() {
            if more || behind(&standing.stored, &standing.upto) > NOTED {
                self.note(registration, standing).await?;
            }
            return Ok(if more { Next::More } else { Next::Nothing });
        }
        let body = self.body(&view, registration, &batch, &mailed, &devices, passing).await?;
        let id = base::random::alphanumeric(ID_LEN);
        let in_flight = InFlight { id, body, upto: batch.upto, mail: mailed.upto };
        if must_arrive {
            kv::retry(|| async {
                let mut tx = self.appservices.db.begin();
                tx.put(&IN_FLIGHT, &registration.id, &in_flight);
                tx.commit().await
            })
            .await?;
        }
        Ok(Next::Send(in_flight))
    }

    async fn body(
        &self,
        view: &View,
        service: &Appservice,
        batch: &Batch,
        mailed: &Mailed,
        devices: &DeviceLists,
        passing: Vec<Value>,
    ) -> Result<Bytes> {
        let mut body = b"{\"events\":[".to_vec();
        for (n, (event, row)) in batch.events.iter().enumerate() {
            if n > 0 {
                body.push(b',');
            }
            body.extend(self.rooms.present_whole(view, event.room, event.num, row).await?);
        }
        body.push(b']');
        let mut more = Map::new();
        if service.ephemeral {
            // Bridges know the one name or the other.
            more.insert("ephemeral".into(), passing.clone().into());
            more.insert("de.sorunome.msc2409.ephemeral".into(), passing.into());
            more.insert("to_device".into(), mailed.messages.clone().into());
            more.insert("de.sorunome.msc2409.to_device".into(), mailed.messages.clone().into());
        }
        if service.encrypts {
            let lists = json!({ "changed": devices.changed, "left": devices.left });
            more.insert("device_lists".into(), lists.clone());
            more.insert("org.matrix.msc3202.device_lists".into(), lists);
            self.add_key_counts(view, service, mailed, &mut more).await?;
        }
        for (key, value) in more {
            let (key, value) = (Value::from(key).to_string(), value.to_string());
            body.extend_from_slice(format!(",{key}:{value}").as_bytes());
        }
        body.push(b'}');
        Ok(body.into())
    }

    /// Writes down where an application service stands that had nothing of interest for long.
    async fn note(&self, service: &Appservice, standing: &mut Standing) -> Result<()> {
        kv::retry(|| async {
            let mut tx = self.appservices.db.begin().relaxed();
            tx.put(&CURSORS, &service.id, &Cursor { upto: standing.upto.clone() });
            tx.commit().await
        })
        .await?;
        standing.stored = standing.upto.clone();
        Ok(())
    }
}

/// How many positions lie between the two.
pub(super) fn behind(from: &Positions, to: &Positions) -> u64 {
    to.iter().map(|(writer, n)| n.saturating_sub(from.of(writer))).sum()
}
