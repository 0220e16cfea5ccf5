"""What the forecaster judges: demand booking, features, baselines, calibration, sensing. Pure: numbers in, numbers out."""
