"""Who somebody is: credentials that come by other ways than a header, asked again as long as a connection lasts."""
