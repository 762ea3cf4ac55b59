"""Generated data sets with a ledger of what is in them, and judges that compare a tool's output with the ledger."""
