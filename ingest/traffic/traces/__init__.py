"""Recorded traffic: files of many layouts, and the store, read into one trace in memory."""
