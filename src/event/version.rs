//! Room versions: which ones Hearth speaks and what rules each of them brings.

use ruma::{RoomVersionId, room_version_rules::RoomVersionRules};

/// Every room version that Hearth can create, join and resolve; all of them are stable.
pub const SUPPORTED: [RoomVersionId; 12] = [
    RoomVersionId::V1,
    RoomVersionId::V2,
    RoomVersionId::V3,
    RoomVersionId::V4,
    RoomVersionId::V5,
    RoomVersionId::V6,
    RoomVersionId::V7,
    RoomVersionId::V8,
    RoomVersionId::V9,
    RoomVersionId::V10,
    RoomVersionId::V11,
    RoomVersionId::V12,
];

/// The version that new rooms get when nobody asks for another one.
pub const DEFAULT: RoomVersionId = RoomVersionId::V12;

/// The rules of a room version, or `None` when Hearth does not support it.
#[must_use]
pub fn rules(version: &RoomVersionId) -> Option<RoomVersionRules> {
    Some(match version {
        RoomVersionId::V1 => RoomVersionRules::V1,
        RoomVersionId::V2 => RoomVersionRules::V2,
        RoomVersionId::V3 => RoomVersionRules::V3,
        RoomVersionId::V4 => RoomVersionRules::V4,
        RoomVersionId::V5 => RoomVersionRules::V5,
        RoomVersionId::V6 => RoomVersionRules::V6,
        RoomVersionId::V7 => RoomVersionRules::V7,
        RoomVersionId::V8 => RoomVersionRules::V8,
        RoomVersionId::V9 => RoomVersionRules::V9,
        RoomVersionId::V10 => RoomVersionRules::V10,
        RoomVersionId::V11 => RoomVersionRules::V11,
        RoomVersionId::V12 => RoomVersionRules::V12,
        _ => return None,
    })
}
