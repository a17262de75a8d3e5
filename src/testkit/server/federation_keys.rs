//! Our keys, as others get them, and those of others that we vouch for.
