"""The company's rules as data. Versioned, event-sourced policies take this place's values over."""
