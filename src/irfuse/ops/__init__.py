"""Operations on tensors that several packages use: filters, and results that are computed once."""
