//! Pages and API as a browser and a program meet them, over every port in memory.

mod api;
mod browser;
mod pages;
