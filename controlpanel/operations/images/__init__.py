"""Operations on images: archives in and out, names, removal."""
