//! Single events, what stands around them, members of a room, reports.

mod context;
mod event;
mod members;
mod report_event;
mod report_room;
mod report_user;

use crate::{Class, Routes};

/// The endpoints of this module.
pub fn routes(routes: Routes) -> Routes {
    routes
        .add(event::event)
        .add(context::context)
        .add(members::members)
        .add_limited(Class::Report, report_event::report_event)
        .add_limited(Class::Report, report_room::report_room)
        .add_limited(Class::Report, report_user::report_user)
}
