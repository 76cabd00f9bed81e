"""Scenes of faults, by what fails."""
