"""scikit-learn estimators: density, novelty and classification, over the same plan, fit and run as everything else."""
