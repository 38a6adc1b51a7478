"""Tables, codes, engines and migrations; knows nothing of lib or pages."""
