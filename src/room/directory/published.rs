//! The published list of rooms.

use std::{cmp::Reverse, collections::BTreeSet};

use kv::Read;
use ruma::{RoomId, UserId};

use super::{PUBLISHED, PUBLISHED_ON, publish};
use crate::{Result, RoomError, RoomSummary, Rooms, Tip, num::RoomNum, tables::TIPS};

/// Rooms of a page when nobody says how many.
const PAGE: usize = 50;
/// Most rooms of a page.
const MAX_PAGE: usize = 500;

/// What somebody looks for in the directory.
#[derive(Debug, Clone, Default)]
pub struct DirectoryQuery {
    /// Only rooms whose name, topic or alias contains this, in any case.
    pub term: Option<String>,
    /// Only rooms of these types; `None` among them stands for rooms without a type.
    pub kinds: Option<Vec<Option<String>>>,
    /// Most rooms to answer.
    pub limit: Option<usize>,
    /// Where to go on: a token of an earlier page.
    pub since: Option<String>,
    /// Whose rooms.
    pub network: Network,
}

/// Whose rooms a directory lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Network {
    /// Matrix's own.
    #[default]
    Matrix,
    /// Those that an application service lists for a third-party network.
    One(String),
    /// Both kinds.
    All,
}

/// A page of the directory.
#[derive(Debug, Clone, Default)]
pub struct DirectoryPage {
    /// The rooms, those with most members first.
    pub rooms: Vec<RoomSummary>,
    /// The token of the page after this one.
    pub next: Option<String>,
    /// The token of the page before this one.
    pub previous: Option<String>,
    /// How many rooms the directory has in all; not known of a search.
    pub total: Option<u64>,
}

/// The order of the directory: members falling, then number.
type Rank = (Reverse<u64>, RoomNum);

/// Where a page begins: after a rank, or before it for pages backward.
#[derive(Debug, Clone, Copy)]
struct Since {
    backward: bool,
    rank: Rank,
}

impl Since {
    fn parse(token: &str) -> Option<Self> {
        let (joined, room) = token.get(1..)?.split_once('_')?;
        let backward = match token.get(..1)? {
            "n" => false,
            "p" => true,
            _ => return None,
        };
        Some(Self { backward, rank: (Reverse(joined.parse().ok()?), RoomNum(room.parse().ok()?)) })
    }

    fn token(direction: char, (Reverse(joined), room): Rank) -> String {
        format!("{direction}{joined}_{}", room.0)
    }
}

impl DirectoryQuery {
    fn is_everything(&self) -> bool {
        self.kinds.is_none() && self.term.is_none()
    }

    fn fits_kind(&self, kind: Option<&str>) -> bool {
        self.kinds.as_ref().is_none_or(|kinds| kinds.iter().any(|wanted| wanted.as_deref() == kind))
    }

    fn fits(&self, summary: &RoomSummary) -> bool {
        let Some(term) = &self.term else { return true };
        let term = term.to_lowercase();
        let texts = [&summary.name, &summary.topic, &summary.canonical_alias];
        texts.into_iter().flatten().any(|text| text.to_lowercase().contains(&term))
    }
}

impl Rooms {
    /// Whether the directory lists a room.
    ///
    /// # Errors
    /// [`RoomError::UnknownRoom`].
    pub async fn is_published(&self, read: &impl Read, room_id: &RoomId) -> Result<bool> {
        let room = self.num(read, room_id).await?;
        Ok(read.has(&PUBLISHED, room).await?)
    }

    /// Puts a room into the directory or takes it out: for members who may set its canonical alias, and
    /// administrators of the server (`by_force`).
    ///
    /// # Errors
    /// [`RoomError::UnknownRoom`], [`RoomError::Denied`].
    pub async fn set_published(&self, room_id: &RoomId, user: &UserId, listed: bool, by_force: bool) -> Result<()> {
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let room = self.num(&tx, room_id).await?;
            if !by_force && !self.may_name(&tx, Some(room), user).await? {
                let reason = "only members who may set the main alias may list the room in the directory";
                return Err(RoomError::Denied(reason.into()));
            }
            publish(&mut tx, room, listed);
            tx.commit().await?;
            Ok(())
        })
        .await
    }

    /// Puts a room into the directory of a third-party network or takes it out, as an application service wants it.
    ///
    /// # Errors
    /// [`RoomError::UnknownRoom`].
    pub async fn set_published_on(&self, network: &str, room_id: &RoomId, listed: bool) -> Result<()> {
        kv::retry(|| async {
            let mut tx = self.db.begin();
            let room = self.num(&tx, room_id).await?;
            match listed {
                true => tx.put(&PUBLISHED_ON, (network, room), &()),
                false => tx.delete(&PUBLISHED_ON, (network, room)),
            }
            tx.commit().await?;
            Ok(())
        })
        .await
    }

    /// A page of the directory. Reads the tip of every listed room, and the names only of those that it looks at.
    ///
    /// # Errors
    /// [`RoomError::InvalidParam`] for a token that is none.
    pub async fn directory(&self, read: &impl Read, query: &DirectoryQuery) -> Result<DirectoryPage> {
        let limit = query.limit.filter(|limit| *limit > 0).unwrap_or(PAGE).min(MAX_PAGE);
        let since = match &query.since {
            Some(token) => {
                let since = Since::parse(token);
                Some(since.ok_or_else(|| RoomError::InvalidParam("since is no token of this directory".into()))?)
            }
            None => None,
        };
        let mut listed = self.listed(read, &query.network).await?;
        let total = listed.len() as u64;
        let backward = since.is_some_and(|since| since.backward);
        match since {
            Some(Since { backward: true, rank }) => {
                listed.retain(|(own, _)| *own < rank);
                listed.reverse();
            }
            Some(Since { backward: false, rank }) => listed.retain(|(own, _)| *own > rank),
            None => {}
        }
        let mut found = Vec::new();
        let mut more = false;
        for (rank, tip) in &listed {
            let Some(summary) = self.listing(read, rank.1, tip, query).await? else { continue };
            if found.len() == limit {
                more = true;
                break;
            }
            found.push((*rank, summary));
        }
        if backward {
            found.reverse();
        }
        let first = found.first().map(|(rank, _)| Since::token('p', *rank));
        let last = found.last().map(|(rank, _)| Since::token('n', *rank));
        Ok(DirectoryPage {
            next: last.filter(|_| more || backward),
            previous: first.filter(|_| if backward { more } else { since.is_some() }),
            total: query.is_everything().then_some(total),
            rooms: found.into_iter().map(|(_, summary)| summary).collect(),
        })
    }

    /// All listed rooms in the order of the directory.
    async fn listed(&self, read: &impl Read, network: &Network) -> Result<Vec<(Rank, Tip)>> {
        let mut rooms = BTreeSet::new();
        if *network != Network::Matrix {
            let range = match network {
                Network::One(network) => PUBLISHED_ON.under(&(network,)),
                _ => PUBLISHED_ON.all(),
            };
            rooms.extend(read.scan(&PUBLISHED_ON, range).collect().await?.into_iter().map(|((_, room), ())| room));
        }
        if matches!(network, Network::Matrix | Network::All) {
            rooms.extend(read.scan(&PUBLISHED, PUBLISHED.all()).collect().await?.into_iter().map(|(room, ())| room));
        }
        let tips = read.get_many(&TIPS, rooms.iter().copied()).await?;
        let mut listed: Vec<_> = rooms
            .into_iter()
            .zip(tips)
            .filter_map(|(room, tip)| tip.filter(|tip| tip.joined > 0).map(|tip| ((Reverse(tip.joined), room), tip)))
            .collect();
        listed.sort_by_key(|(rank, _)| *rank);
        Ok(listed)
    }

    /// A listed room, if it is what the query looks for.
    async fn listing(
        &self,
        read: &impl Read,
        room: RoomNum,
        tip: &Tip,
        query: &DirectoryQuery,
    ) -> Result<Option<RoomSummary>> {
        if !query.fits_kind(self.info(read, room).await?.kind.as_deref()) {
            return Ok(None);
        }
        let summary = self.summary_at(read, room, tip).await?;
        Ok(query.fits(&summary).then_some(summary))
    }
}
