"""Standard output and error: sent to the page as they come, and cut off where they flood it."""
