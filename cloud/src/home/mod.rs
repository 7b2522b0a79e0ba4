//! Home: the first page after signing in. It greets, and leads where the reader may go;
//! figures come from the areas that own them.

pub mod pages;
