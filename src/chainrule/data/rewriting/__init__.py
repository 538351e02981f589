"""From what an encoding decodes to the file that it came from: how that file is written."""
