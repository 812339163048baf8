"""From a prepared graph to plans for the compiled engine."""
