//! What a query finds.
