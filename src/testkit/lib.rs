//! Starts whole servers in this process and talks to them as clients do, so that a test is five lines long.
//!
//! **Owns** [`TestServer`], [`Federation`], [`Client`], [`Remote`], [`FakeAppservice`], the small HTTP client below them ([`Http`]), and servers under TLS
//! that answer what a test says ([`FakeServer`]).
//! **Must not know** what any endpoint answers beyond what its helpers read.
//! **Tables**, **tasks**: none. For tests only: it panics where a test is to fail.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod appservice;
mod client;
mod federation;
mod http;
mod remote;
mod remote_member;
mod server;
mod tls;

pub use self::http::{Answer, Http, escaped};
pub use appservice::{AppserviceRequest, FakeAppservice};
pub use client::Client;
pub use federation::Federation;
pub use remote::Remote;
pub use remote_member::RemoteMember;
pub use server::{Builder, TestServer};
pub use tls::{Asked, Authority, FakeServer};
