"""Operations on containers, one module per family of verbs."""
