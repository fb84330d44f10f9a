//! untouched
