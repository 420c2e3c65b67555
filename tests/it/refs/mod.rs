//! References over HTTP: the gate, the answers of servers, and what is kept.

mod answers;
mod bodies;
mod corpus;
mod kept;
mod names;
mod redirects;
mod site;
