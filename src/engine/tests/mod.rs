//! The engine as a whole: pictures of turns, the rules of its header one by one, and a simulation.

mod approve;
mod busy;
mod controls;
mod drawn;
mod experts;
mod fork;
mod golden;
mod language;
mod named;
mod question;
mod reload;
mod resume;
mod revise;
mod rules;
mod says;
mod simulation;
mod snapshot;
mod stream;
mod survey;
mod world;
