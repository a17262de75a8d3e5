//! Tests of the engine; the crash tests have files of their own.
