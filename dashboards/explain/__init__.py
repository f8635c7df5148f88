"""Why a cost moved between two periods: exact effects, a sentence, a waterfall (`effects`)."""
