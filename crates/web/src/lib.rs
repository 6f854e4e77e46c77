//! HTTP, as far as surfaces share it.
//!
//! **Is:** how connections are served ([`serve`]), what every request goes through before a surface sees it ([`gate`]), what each route
//! asks of whoever comes ([`table`]), how a body is read ([`body`]) and a bearer's secret ([`bearer`]), how often somebody may ask
//! ([`rates`]) and how much at once ([`room`], [`places`]), from where ([`proxies`]), what
//! is counted of it ([`figures`]), and all numbers of it ([`limits`]).
//! **Is not:** a surface: no route but health, no document format.

pub mod bearer;
pub mod body;
pub mod figures;
pub mod gate;
pub mod health;
pub mod limits;
pub mod places;
pub mod proxies;
pub mod rates;
pub mod room;
pub mod serve;
pub mod table;
