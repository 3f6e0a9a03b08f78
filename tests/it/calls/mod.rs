//! Requests and replies: each reply its call, whatever happens to the others.

mod handlers;
mod in_flight;
mod observers;
mod restarts;
mod single;
mod sizes;
mod streams;
mod together;
