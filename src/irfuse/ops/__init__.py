"""Operations on tensors that several rooms share: filters, and results computed once."""
