//! The direction of a sorted list, as in the queries of the API and in statements.

/// The direction of a sorted list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Lowest or earliest first.
    Ascending,
    /// Highest or latest first.
    Descending,
}

impl Direction {
    /// The keyword of SQL.
    pub(crate) const fn sql(self) -> &'static str {
        match self {
            Self::Ascending => "ASC",
            Self::Descending => "DESC",
        }
    }
}
