//! The direction of a sorted list, in queries of the API and in SQL.

/// The direction of a sorted list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Lowest or earliest first.
    Ascending,
    /// Highest or latest first.
    Descending,
}

impl Direction {
    /// Returns the SQL keyword.
    pub(crate) const fn sql(self) -> &'static str {
        match self {
            Self::Ascending => "ASC",
            Self::Descending => "DESC",
        }
    }
}
