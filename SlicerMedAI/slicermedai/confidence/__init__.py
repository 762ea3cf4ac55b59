"""How far a prediction can be trusted; 'not calibrated' is an answer."""
