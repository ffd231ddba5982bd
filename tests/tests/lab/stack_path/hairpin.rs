//! Both ends of a data connection inside: with each other through the gateway's
//! public address, and back to the very host that announced it.
