"""What learners hand in becomes a folder of submissions: from folders, zips of learning platforms, and the exchange."""
