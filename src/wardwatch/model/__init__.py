"""The vocabulary: frozen values every stage speaks."""
