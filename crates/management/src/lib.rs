//! Resource manager calls over the services' own interfaces.
