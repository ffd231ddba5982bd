//! With offloads and without, and over links of other sizes.
